package main

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// screen shows a page on a terminal's second screen, anew every second. What was
// on the first is there again afterwards, however it ends.
type screen struct {
	terminal *os.File
}

func newScreen(terminal *os.File) *screen { return &screen{terminal} }

// Control sequences of xterm, which everything else understands, or ignores.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // the second screen, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	beginFrame  = "\x1b[?2026h\x1b[H" // hold back what comes, where that is known; from the top
	endOfLine   = "\x1b[K\r\n"        // clear what was there before
	endFrame    = "\x1b[J\x1b[?2026l"
)

// show draws what page returns until ctx ends, or page or the terminal fails.
func (s *screen) show(ctx context.Context, page func(paper) (string, error)) (err error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTSTP, syscall.SIGCONT, syscall.SIGWINCH, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := s.write(enterScreen); err != nil {
		return err
	}
	defer func() {
		if left := s.write(leaveScreen); err == nil {
			err = left
		}
	}()
	ticker := time.NewTicker(liveEvery)
	defer ticker.Stop()
	for {
		text, err := page(paperOf(s.terminal))
		if err != nil {
			return err
		}
		if err := s.draw(text); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		case got := <-signals:
			if got == syscall.SIGHUP {
				return nil
			}
			if got == syscall.SIGTSTP {
				if err := s.sleep(ctx, signals); err != nil {
					return err
				}
			}
		}
	}
}

// sleep leaves the terminal to the shell, stops as one does at Ctrl+Z, and comes
// back with fg.
func (s *screen) sleep(ctx context.Context, signals <-chan os.Signal) error {
	if err := s.write(leaveScreen); err != nil {
		return err
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		return err
	}
	// This thread may go on for a moment before all are stopped.
	for {
		select {
		case got := <-signals:
			if got == syscall.SIGCONT {
				return s.write(enterScreen)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// draw writes a page in one go, over the one before, so that nothing flickers.
// What does not fit is left out.
func (s *screen) draw(text string) error {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if _, height, err := term.GetSize(int(s.terminal.Fd())); err == nil && height > 0 && len(lines) > height {
		lines = lines[:height]
	}
	return s.write(beginFrame + strings.Join(lines, endOfLine) + strings.TrimSuffix(endOfLine, "\r\n") + endFrame)
}

func (s *screen) write(text string) error {
	_, err := s.terminal.WriteString(text)
	return err
}
