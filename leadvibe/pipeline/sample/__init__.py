"""Sample data: a believable story of 90 days, told through the pipeline that scores real events."""
