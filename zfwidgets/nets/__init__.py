"""What is looked at: architectures, where their weights come from, what each of them is."""
