package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
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
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil {
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
	change, err := l.prepare(o)
	if err != nil {
		return l, err
	}
	return l, change.commit()
}

// prepare opens the file of o, which may be another one, or the same anew after it
// has been moved away (logrotate).
func (l *Log) prepare(o Options) (change, error) {
	file, err := openLogFile(o.LogFile)
	if err != nil {
		return change{}, err
	}
	return change{
		commit: func() error {
			l.level.Set(levelOf(o))
			return l.out.change(o.LogFile, file)
		},
		undo: func() {
			if file != nil {
				_ = file.Close()
			}
		},
	}, nil
}

// running puts into o what the log follows.
func (l *Log) running(o *Options) {
	o.LogLevel = strings.ToLower(l.level.Level().String())
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	o.LogFile = l.out.path
}

// Close lets go of the file. What is logged after that goes to the writer behind it.
func (l *Log) Close() error { return l.out.change("", nil) }

// logWriter writes to a file that can be exchanged, or to fallback without one.
type logWriter struct {
	fallback io.Writer

	mu   sync.Mutex // guards file and path
	file *os.File
	path string
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

// openLogFile is the file at path; nil for an empty one, which means none.
func openLogFile(path string) (*os.File, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // no file is wanted
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("--log-file: %w", err)
	}
	return file, nil
}

// change exchanges the file for the one at path, or for none.
func (w *logWriter) change(path string, file *os.File) error {
	w.mu.Lock()
	old := w.file
	w.file, w.path = file, path
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
