package page

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// firefox is Firefox, driven by WebDriver BiDi, which it speaks by itself.
// Owner: the test.
type firefox struct {
	conn *websocket.Conn
	page string // the browsing context

	mu      sync.Mutex
	last    int
	waiting map[int]chan bidiAnswer
	found   []string
	end     error
}

type bidiAnswer struct {
	ID      int             `json:"id"`
	Type    string          `json:"type"`
	Method  string          `json:"method"`
	Result  json.RawMessage `json:"result"`
	Params  json.RawMessage `json:"params"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
}

func startFirefox(t *testing.T) engine {
	t.Helper()
	path := ""
	for _, name := range []string{"firefox-esr", "firefox"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		lacks(t, "Firefox", "firefox-esr")
	}
	home := t.TempDir()
	cmd := exec.Command(path, "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", home)
	cmd.Env = append(cmd.Environ(), "HOME="+home, "MOZ_CRASHREPORTER_DISABLE=1", "MOZ_REMOTE_SETTINGS_DEVTOOLS=1")
	address := make(chan string, 1)
	runGroup(t, cmd, func(line string) {
		if _, found, ok := strings.Cut(line, "WebDriver BiDi listening on "); ok {
			select {
			case address <- strings.TrimSpace(found):
			default:
			}
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	var at string
	select {
	case at = <-address:
	case <-ctx.Done():
		t.Fatal("Firefox does not say where it listens")
	}
	conn, err := dialUntil(ctx, at+"/session")
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(64 << 20) // pictures
	f := &firefox{conn: conn, waiting: make(map[int]chan bidiAnswer)}
	done := make(chan struct{})
	go func() { defer close(done); f.read() }()
	t.Cleanup(func() { _ = conn.CloseNow(); <-done })
	var contexts struct{ Contexts []struct{ Context string } }
	for _, step := range []struct {
		method string
		params any
		result any
	}{
		{"session.new", map[string]any{"capabilities": map[string]any{}}, nil},
		{"session.subscribe", map[string]any{"events": []string{"log.entryAdded"}}, nil},
		{"browsingContext.getTree", map[string]any{}, &contexts},
	} {
		if err := f.call(ctx, step.method, step.params, step.result); err != nil {
			t.Fatal(err)
		}
	}
	f.page = contexts.Contexts[0].Context
	return f
}

// runGroup runs a program, and whatever it starts, until the test ends. say is given the
// lines that it prints.
func runGroup(t *testing.T, cmd *exec.Cmd, say func(line string)) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			say(lines.Text())
		}
	}()
	t.Cleanup(func() {
		// All that it has started is in its group, and writes to the same pipe.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		select {
		case <-read:
		case <-time.After(patience):
			_ = out.Close()
			<-read
		}
		_ = cmd.Wait()
	})
}

// read takes answers and events until the connection ends.
func (f *firefox) read() {
	for {
		_, text, err := f.conn.Read(context.Background())
		var a bidiAnswer
		if err == nil {
			err = json.Unmarshal(text, &a)
		}
		f.mu.Lock()
		if err != nil {
			f.end = err
			for _, c := range f.waiting {
				close(c)
			}
			clear(f.waiting)
			f.mu.Unlock()
			return
		}
		if a.Method == "log.entryAdded" {
			var entry struct{ Level, Text string }
			if json.Unmarshal(a.Params, &entry) == nil && (entry.Level == "error" || entry.Level == "warn") {
				f.found = append(f.found, entry.Level+": "+entry.Text)
			}
		}
		if c := f.waiting[a.ID]; c != nil && a.Method == "" {
			delete(f.waiting, a.ID)
			c <- a
		}
		f.mu.Unlock()
	}
}

// call carries out a command.
func (f *firefox) call(ctx context.Context, method string, params, result any) error {
	f.mu.Lock()
	if f.end != nil {
		f.mu.Unlock()
		return f.end
	}
	f.last++
	id, c := f.last, make(chan bidiAnswer, 1)
	f.waiting[id] = c
	f.mu.Unlock()
	text, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	if err != nil {
		return err
	}
	if err := f.conn.Write(ctx, websocket.MessageText, text); err != nil {
		return err
	}
	select {
	case a, ok := <-c:
		switch {
		case !ok:
			return fmt.Errorf("%s: the connection has ended", method)
		case a.Type == "error":
			return fmt.Errorf("%s: %s: %s", method, a.Error, a.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(a.Result, result)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

func (f *firefox) open(ctx context.Context, url string) error {
	return f.call(ctx, "browsingContext.navigate", map[string]any{"context": f.page, "url": url, "wait": "complete"}, nil)
}

func (f *firefox) evaluate(ctx context.Context, expression string) (json.RawMessage, error) {
	var answer struct {
		Type   string
		Result struct{ Value string }
		// What went wrong in the page.
		ExceptionDetails struct{ Text string }
	}
	err := f.call(ctx, "script.evaluate", map[string]any{
		"expression": "(async () => JSON.stringify((" + expression + ") ?? null))()", "awaitPromise": true,
		"target": map[string]any{"context": f.page},
	}, &answer)
	if err == nil && answer.Type != "success" {
		err = fmt.Errorf("%s", answer.ExceptionDetails.Text)
	}
	return json.RawMessage(answer.Result.Value), err
}

func (f *firefox) press(ctx context.Context, keys string) error {
	return f.call(ctx, "input.performActions", map[string]any{"context": f.page, "actions": keyActions(keys)}, nil)
}

func (f *firefox) resize(ctx context.Context, width, height int) error {
	return f.call(ctx, "browsingContext.setViewport", map[string]any{
		"context": f.page, "viewport": map[string]int{"width": width, "height": height},
	}, nil)
}

func (f *firefox) picture(ctx context.Context) ([]byte, error) {
	var answer struct{ Data string }
	if err := f.call(ctx, "browsingContext.captureScreenshot", map[string]any{"context": f.page}, &answer); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(answer.Data)
}

func (f *firefox) complaints() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.found
	f.found = nil
	return found
}
