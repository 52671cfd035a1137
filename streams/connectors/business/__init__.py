"""What else is known of a customer: product usage, subscriptions, the CRM."""
