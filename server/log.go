package server

import (
	"io"
	"log/slog"
)

// NewLogger makes the process's logger as o asks. Options that Validate would
// refuse make a text logger at level info: what is wrong with them can then
// still be logged.
func NewLogger(w io.Writer, o Options) *slog.Logger {
	level, err := parseLevel(o.LogLevel)
	if err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
