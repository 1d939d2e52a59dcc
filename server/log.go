package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
)

// NewLogger makes the process's logger as o asks, but for --log-file. Options that
// Validate would refuse make a text logger at level info: what is wrong with them
// can then still be logged.
func NewLogger(w io.Writer, o Options) *slog.Logger { return newLogger(w, o, levelOf(o)) }

func newLogger(w io.Writer, o Options, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func levelOf(o Options) slog.Level {
	level, err := parseLevel(o.LogLevel)
	if err != nil {
		return slog.LevelInfo
	}
	return level
}

// Log is a logger whose level and file can change while it is in use. It may be
// used from any goroutine.
type Log struct {
	*slog.Logger

	level slog.LevelVar
	out   *logWriter
}

// OpenLog makes the process's log as o asks: into --log-file, or else to w.
func OpenLog(o Options, w io.Writer) (*Log, error) {
	l := &Log{out: &logWriter{fallback: w}}
	l.Logger = newLogger(l.out, o, &l.level)
	return l, l.Change(o)
}

// Change has the log follow o: another level from now on, and the file opened
// again, which may have been moved away (logrotate) or be another one. After an
// error it goes where it went before.
func (l *Log) Change(o Options) error {
	l.level.Set(levelOf(o))
	return l.out.open(o.LogFile)
}

// Close lets go of the file. What is logged after that goes to the writer behind it.
func (l *Log) Close() error { return l.out.open("") }

// logWriter writes to a file that can be exchanged, or to fallback without one.
type logWriter struct {
	fallback io.Writer

	mu   sync.Mutex // guards file
	file *os.File
}

// Write writes one record, which is never split between two files.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		return w.file.Write(p)
	}
	return w.fallback.Write(p)
}

// open changes to the file at path; an empty one means none.
func (w *logWriter) open(path string) error {
	var file *os.File
	if path != "" {
		var err error
		if file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640); err != nil {
			return fmt.Errorf("--log-file: %w", err)
		}
	}
	w.mu.Lock()
	old := w.file
	w.file = file
	w.mu.Unlock()
	if file == nil && old == nil {
		return nil
	}
	// What Go writes when the program crashes: beside standard error, which a
	// server in the background does not have.
	err := debug.SetCrashOutput(file, debug.CrashOptions{})
	if old != nil {
		err = errors.Join(err, old.Close())
	}
	if err != nil {
		return fmt.Errorf("--log-file: %w", err)
	}
	return nil
}
