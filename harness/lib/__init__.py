"""What the end-to-end tests are built from: processes, ports, wire proof, certificates, peers."""
