"""What tests share: processes of their own, real servers, an OTLP sink and a load generator."""
