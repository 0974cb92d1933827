"""How faithful and how useful a synthetic set is: embeddings, distances, scores with their intervals."""
