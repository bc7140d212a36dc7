"""Who calls: customers, partners, contacts, phones, technicians, and who may use the API."""
