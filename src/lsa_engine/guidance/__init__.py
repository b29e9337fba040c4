"""What is known without a network: smooth fills of the known colours."""
