package mqtt

// BreakLink cuts the connection to the embedded server, as the server does with one that reads too slowly.
func (s *Service) BreakLink() { s.server.link.Load().conn.Close() }
