"""The desk's « People »: guardians and pupils, and every act about one of them."""
