"""Records to Kafka: the producer, the topics and their administration, the codec. Nothing here knows Faust."""
