"""The tooling of the book: never imported by the course itself."""
