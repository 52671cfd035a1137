"""WhatsApp, Messenger, Instagram and LINE."""
