package main

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"groupcast/server/control"
)

// askWithin bounds one question to a server.
const askWithin = 10 * time.Second

// liveEvery is how often status -d asks.
const liveEvery = time.Second

// status shows how a server is doing: once, or every second until ctx ends.
func status(ctx context.Context, flags statusFlags, stdout io.Writer) error {
	client, _, err := flags.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	ask := func(p paper) (string, error) { return askStatus(ctx, client, flags.JSON, p) }
	if !flags.Live {
		text, err := ask(paperOf(stdout))
		if err != nil {
			return err
		}
		_, err = io.WriteString(stdout, text)
		return err
	}
	if terminal, ok := stdout.(*os.File); ok && !flags.JSON && isTerminal(stdout) {
		err = newScreen(terminal).show(ctx, ask)
	} else {
		err = repeat(ctx, stdout, ask)
	}
	if ctx.Err() != nil {
		return nil // Ctrl+C: that is how it is meant to end
	}
	return err
}

// askStatus is one snapshot as it is to be printed.
func askStatus(ctx context.Context, client *control.Client, asJSON bool, p paper) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	s, raw, err := client.Status(ctx)
	if err != nil {
		return "", err
	}
	if asJSON {
		return jsonLine(raw), nil
	}
	// A server that is older than this program has no history, and a status all the same.
	history, err := client.History(ctx)
	if err != nil && ctx.Err() != nil {
		return "", err
	}
	return p.writeStatus(s, history.Events, time.Local), nil
}

// repeat prints one snapshot after the other.
func repeat(ctx context.Context, w io.Writer, ask func(paper) (string, error)) error {
	ticker := time.NewTicker(liveEvery)
	defer ticker.Stop()
	for {
		text, err := ask(paperOf(w))
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// paperOf is a terminal as it is now, or a file.
func paperOf(w io.Writer) paper {
	file, ok := w.(*os.File)
	if !ok || !isTerminal(w) {
		return paper{}
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return paper{width: width, colour: wantsColour(w)}
}
