"""Help desks and live chats: tickets and conversations that a provider keeps for its customers."""
