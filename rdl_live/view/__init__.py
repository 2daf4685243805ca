"""The window: models without Qt, and thin views of them. The only place where Qt is imported."""
