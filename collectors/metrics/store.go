package metrics

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/compression"

	"goc/ops"
)

// blockDuration is how much time the head gathers before it is written out as a block. Prometheus' two hours make a
// restart replay up to three hours of log; with targets sampled each second that is minutes during which nobody is
// watching. Half an hour keeps the replay to seconds and the head small, at the price of more, smaller blocks, which
// compaction joins later.
const blockDuration = 30 * time.Minute

// storeOptions sizes the store for one machine that also does everything else, rather than for one that only stores:
// few stripes and a small write buffer (together 6 MiB less), small log segments so that what was written out can
// be removed soon, and a compressed log.
func storeOptions(c Config) *tsdb.Options {
	o := tsdb.DefaultOptions()
	o.RetentionDuration = time.Duration(c.Retention).Milliseconds()
	o.MaxBytes = c.RetentionBytes
	o.MinBlockDuration = blockDuration.Milliseconds()
	o.MaxBlockDuration = max(blockDuration, min(31*24*time.Hour, time.Duration(c.Retention)/10)).Milliseconds()
	o.StripeSize = 1024
	o.HeadChunksWriteBufferSize = 4 * chunks.MinWriteBufferSize
	o.WALSegmentSize = 16 << 20
	o.WALCompression = compression.Snappy
	return o
}

// openStore opens the embedded store in dir, which only one process may use at a time.
func openStore(dir string, c Config, reg prometheus.Registerer, log *slog.Logger) (*tsdb.DB, error) {
	db, err := tsdb.Open(dir, log, reg, storeOptions(c), nil)
	if err != nil {
		return nil, ops.Errorf(ops.Unavailable, "the store of metrics in %s does not open: %w", dir, err).
			WithHint("is another goc running on the same data folder, or is the disk full?")
	}
	return db, nil
}
