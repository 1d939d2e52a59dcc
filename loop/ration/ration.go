// Package ration writes the log lines that peers cause: once in a while, and short.
// Whatever a peer does, and as often as it likes, it fills nobody's disk.
package ration

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

// Lines of one kind come Burst at once and then one every Every. With values cut to
// MaxValueBytes that is a few megabytes a day for each kind.
const (
	Burst         = 10
	Every         = 10 * time.Second
	MaxValueBytes = 256
)

// maxKinds bounds the kinds that are told apart; further ones count as one.
const maxKinds = 256

// Logger writes to a log what its rations allow. Each kind has its own, so that a
// peer who makes one of them often hides none of the others. A line that is not
// written is counted, and told with the next one of its kind, as not_logged. A
// Logger may be used from any goroutine.
type Logger struct {
	log *slog.Logger

	mu    sync.Mutex // guards kinds, and what they point to
	kinds map[string]*kind
}

type kind struct {
	lines  *rate.Limiter
	missed uint64 // since the last line
}

// New makes a Logger for log.
func New(log *slog.Logger) *Logger {
	return &Logger{log: log, kinds: make(map[string]*kind)}
}

// Warn writes a line at level Warn. message is its kind.
func (l *Logger) Warn(message string, args ...any) { l.Log(slog.LevelWarn, message, message, args...) }

// Log writes a line of a kind. args are slog's; what is text in them is cut.
func (l *Logger) Log(level slog.Level, kind, message string, args ...any) {
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	if ok, missed := l.Take(kind); ok {
		l.log.Log(context.Background(), level, message, append(cutAll(args), "not_logged", missed)...)
	}
}

// Logf writes a line in words alone. format is its kind.
func (l *Logger) Logf(level slog.Level, format string, args ...any) {
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	if ok, missed := l.Take(format); ok {
		l.log.Log(context.Background(), level, Cut(fmt.Sprintf(format, args...)), "not_logged", missed)
	}
}

// Take reports whether a line of a kind may be written now, and how many were not
// since the last one. Kinds must not come from peers.
func (l *Logger) Take(name string) (ok bool, missed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[name]
	if k == nil {
		if len(l.kinds) >= maxKinds {
			name = "others"
		}
		if k = l.kinds[name]; k == nil {
			k = &kind{lines: rate.NewLimiter(rate.Every(Every), Burst)}
			l.kinds[name] = k
		}
	}
	if !k.lines.Allow() {
		k.missed++
		return false, 0
	}
	missed, k.missed = k.missed, 0
	return true, missed
}

func cutAll(args []any) []any {
	cut := make([]any, len(args), len(args)+2)
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			cut[i] = Cut(v)
		case error:
			cut[i] = Cut(v.Error())
		case slog.Attr:
			if v.Value.Kind() == slog.KindString {
				v.Value = slog.StringValue(Cut(v.Value.String()))
			}
			cut[i] = v
		default:
			cut[i] = arg
		}
	}
	return cut
}

// Cut is s, or its first MaxValueBytes and how long it is.
func Cut(s string) string {
	if len(s) <= MaxValueBytes {
		return s
	}
	at := MaxValueBytes
	for at > MaxValueBytes-utf8.UTFMax && !utf8.RuneStart(s[at]) {
		at--
	}
	return fmt.Sprintf("%s... (%d bytes)", s[:at], len(s))
}
