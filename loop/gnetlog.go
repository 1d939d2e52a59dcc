package loop

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// gnetLogger is gnet's log as one of ours. A mass close makes gnet warn once a
// stale event, so at most one line a second comes through.
type gnetLogger struct {
	log        *slog.Logger
	next       atomic.Int64 // when the next line may be logged, Unix nanoseconds
	suppressed atomic.Int64
}

func newGnetLogger(log *slog.Logger) *gnetLogger {
	return &gnetLogger{log: log.With("from", "gnet")}
}

func (l *gnetLogger) line(level func(string, ...any), format string, args []any) {
	now := time.Now().UnixNano()
	if next := l.next.Load(); now < next || !l.next.CompareAndSwap(next, now+int64(time.Second)) {
		l.suppressed.Add(1)
		return
	}
	level(fmt.Sprintf(format, args...), "suppressed", l.suppressed.Swap(0))
}

// Debugf and its siblings implement gnet's logging.Logger.
func (l *gnetLogger) Debugf(string, ...any) {}

// Infof is debug to us: gnet's informational lines are about itself.
func (l *gnetLogger) Infof(format string, args ...any) { l.line(l.log.Debug, format, args) }

// Warnf logs a warning.
func (l *gnetLogger) Warnf(format string, args ...any) { l.line(l.log.Warn, format, args) }

// Errorf logs an error.
func (l *gnetLogger) Errorf(format string, args ...any) { l.line(l.log.Error, format, args) }

// Fatalf logs an error: whether to end the process is not gnet's decision.
func (l *gnetLogger) Fatalf(format string, args ...any) { l.line(l.log.Error, format, args) }
