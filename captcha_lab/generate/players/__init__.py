"""The two players of a recipe, what they are shown, and the terms that a recipe adds to its loss."""
