"""The privacy audit: can training subjects be re-identified in the synthetic faces?"""
