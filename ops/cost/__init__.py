"""What a deployment costs: computed from its templates, with the list prices in ops/prices/."""
