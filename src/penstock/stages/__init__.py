"""The stages: one verb, one file, one public function. Records in, a record out."""
