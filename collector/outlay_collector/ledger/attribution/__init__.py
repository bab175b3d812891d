"""For whom calls were made, where instrumentation left it open or said it wrong; and who bears what all use."""
