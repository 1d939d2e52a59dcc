package process

import (
	"io"
	"os"
	"strings"
	"sync"
)

// PrintedBytes is how much is kept of what a program has printed last: it is wanted only if the program fails.
const PrintedBytes = 4096

// Printed is the end of what the program has printed so far, to its standard error at least. From a Log it may have
// been printed by earlier programs.
func (p *Process) Printed() string {
	if p.log == "" {
		return p.printed.String()
	}
	file, err := os.Open(p.log)
	if err != nil {
		return ""
	}
	defer file.Close()
	_, _ = file.Seek(-PrintedBytes, io.SeekEnd) // a shorter one is read from its beginning
	text, _ := io.ReadAll(io.LimitReader(file, PrintedBytes))
	return string(text)
}

// quoted is what an error says of it.
func (p *Process) quoted() string {
	text := strings.TrimSpace(p.Printed())
	if text == "" {
		return ""
	}
	return "; it said:\n" + text
}

// tail keeps the last PrintedBytes that are written.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b[max(0, len(b)-PrintedBytes):]...)
	if over := len(t.b) - PrintedBytes; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
