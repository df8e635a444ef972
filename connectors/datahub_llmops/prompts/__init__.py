"""What is known of prompts across their registries and the applications that run them. No DataHub in here."""
