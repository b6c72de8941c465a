"""What an officer sees: alerts as cases, their pictures and evidence, and the pages that are open."""
