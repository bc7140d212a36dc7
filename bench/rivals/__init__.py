"""The same menu on other FastAGI libraries, each as its documentation shows."""
