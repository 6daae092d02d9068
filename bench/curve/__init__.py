"""`./dev bench curve`: what a governed mail costs at each rate, beside another checkout and beside bare boto3 paced alike."""
