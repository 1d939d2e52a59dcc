package loop

import (
	"log/slog"

	"groupcast/loop/ration"
)

// gnetLogger is gnet's log as one of ours. A mass close makes gnet warn once a
// stale event: each of its texts is a kind of its own.
type gnetLogger struct{ log *ration.Logger }

func newGnetLogger(log *slog.Logger) *gnetLogger {
	return &gnetLogger{ration.New(log.With("from", "gnet"))}
}

// Debugf and its siblings implement gnet's logging.Logger.
func (l *gnetLogger) Debugf(string, ...any) {}

// Infof is debug to us: gnet's informational lines are about itself.
func (l *gnetLogger) Infof(format string, args ...any) { l.log.Logf(slog.LevelDebug, format, args...) }

// Warnf logs a warning.
func (l *gnetLogger) Warnf(format string, args ...any) { l.log.Logf(slog.LevelWarn, format, args...) }

// Errorf logs an error.
func (l *gnetLogger) Errorf(format string, args ...any) { l.log.Logf(slog.LevelError, format, args...) }

// Fatalf logs an error: whether to end the process is not gnet's decision.
func (l *gnetLogger) Fatalf(format string, args ...any) { l.log.Logf(slog.LevelError, format, args...) }
