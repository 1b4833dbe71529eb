"""What all widgets share: base class, worker and wire, texts, pictures, charts."""
