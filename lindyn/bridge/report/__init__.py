"""What is said of the findings: headline, advice, terminal, page, pictures, JSON, and two answers side by side."""
