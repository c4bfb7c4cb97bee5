package storage

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"goc/ops"
)

// link is the end of the chain: the number of the last event and its hash (empty before the first).
type link struct {
	seq  int64
	hash []byte
	buf  []byte // reused between events
}

// next numbers e and returns its hash: SHA-256 over the hash before and the canonical bytes of what is stored of e,
// which are seq and at (8 bytes each, big-endian, at in Unix milliseconds) and then name, topic, subject, actor and
// data, each behind its length (4 bytes). It allocates the 32 bytes of the hash only.
func (l *link) next(e *ops.Event) []byte {
	l.seq++
	e.Seq = l.seq
	b := append(l.buf[:0], l.hash...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMilli()))
	for _, s := range [...]string{e.Name, e.Topic, e.Subject, e.Actor} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Data)))
	b = append(b, e.Data...)
	l.buf = b
	sum := sha256.Sum256(b)
	l.hash = sum[:]
	return l.hash
}

// stored is t as a round trip through the database returns it: UTC, whole milliseconds.
func stored(t ops.Time) ops.Time { return fromMilli(t.UnixMilli()) }

func fromMilli(ms int64) ops.Time { return ops.At(time.UnixMilli(ms).UTC()) }
