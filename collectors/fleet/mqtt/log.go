package mqtt

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// serverLog is what the embedded server logs to. The server tells there, and nowhere else, of what it refuses by itself.
type serverLog struct {
	s     *Service
	fatal atomic.Pointer[string]
	told  atomic.Pointer[rate.Limiter]
}

// complaints are the server's words for what it refuses, and our reasons.
var complaints = []struct{ words, reason string }{
	{"Publish Violation", notItsOwn},
	{"Subscription Violation", notItsOwn},
	{"maximum payload", tooLarge},
	{"maximum connections exceeded", tooManyConns},
	{"authentication error", ""}, // counted at the door
	{"uthentication", notAdmitted},
	{"wildcards not allowed", badTopic},
	{"character not supported", badTopic},
	{"- mid:", malformed}, // of an MQTT client, whatever else it was
}

// refusal is for which reason a line says that something was refused.
func refusal(line string) (reason string, ok bool) {
	for _, c := range complaints {
		if strings.Contains(line, c.words) {
			return c.reason, c.reason != ""
		}
	}
	return "", false
}

// Errorf implements server.Logger.
func (l *serverLog) Errorf(format string, v ...any) {
	line := fmt.Sprintf(format, v...)
	if reason, ok := refusal(line); ok {
		l.s.count.refused[reason].Inc()
	}
	if l.allowed() {
		l.s.o.Logger.Info("the embedded MQTT server", "said", line)
	}
}

// allowed keeps the log to a line a second: whoever connects could otherwise fill it.
func (l *serverLog) allowed() bool {
	lim := l.told.Load()
	if lim == nil {
		l.told.CompareAndSwap(nil, rate.NewLimiter(rate.Every(time.Second), 10))
		lim = l.told.Load()
	}
	return lim.Allow()
}

// Fatalf implements server.Logger. The server calls it where it cannot listen, and goes on.
func (l *serverLog) Fatalf(format string, v ...any) {
	line := fmt.Sprintf(format, v...)
	l.fatal.Store(&line)
}

// Warnf implements server.Logger.
func (l *serverLog) Warnf(format string, v ...any) {
	if l.allowed() {
		l.s.o.Logger.Debug("the embedded MQTT server", "said", fmt.Sprintf(format, v...))
	}
}

// Noticef implements server.Logger; the server's notices are of its own start.
func (l *serverLog) Noticef(string, ...any) {}

// Debugf implements server.Logger; it is off.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef implements server.Logger; it is off.
func (l *serverLog) Tracef(string, ...any) {}
