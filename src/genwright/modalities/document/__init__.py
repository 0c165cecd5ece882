"""Documents that answers are drawn from: reading, structure, chunks, and questions made from them."""
