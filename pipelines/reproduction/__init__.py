"""The papers' experiments, as data and what runs, keeps and shows them."""
