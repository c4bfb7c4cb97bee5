package storage

import "context"

// Hold keeps the committer busy, so that what is appended until release becomes one batch.
func (s *Store) Hold() (release func()) {
	held, free := make(chan struct{}), make(chan struct{})
	go s.submit(context.Background(), func(context.Context, *writer) error {
		close(held)
		<-free
		return nil
	})
	<-held
	return func() { close(free) }
}

// Ping does what watch does every few seconds.
func (s *Store) Ping(ctx context.Context) error {
	return s.submit(ctx, func(context.Context, *writer) error { return nil })
}

// MaxQueued is the bound of the queue.
const MaxQueued = maxQueued

// Setting asks the connection that writes.
func (s *Store) Setting(ctx context.Context, query string) (value string, err error) {
	err = s.submit(ctx, func(ctx context.Context, w *writer) error {
		return w.conn.QueryRowContext(ctx, query).Scan(&value)
	})
	return value, err
}
