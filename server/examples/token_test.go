package examples

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// A token of each backend's language lets its user in, and lets it do what it says.
func TestTokens(t *testing.T) {
	dependOn(t, "issue_token.*", "token/*.go", "../cmd/groupcast/*.go", "../../README.md")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a secret that is long enough for HS256\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, build(t, "../cmd/groupcast"), "start", "--listen", "127.0.0.1:0", "--api", "none", "--control", "none",
		"--log-level", "warn", "--channel", "127.0.0.1:0", "--token-key-file", secret)
	socket, _ := s.addresses()
	for _, c := range []struct {
		file, program, debian string
		args                  []string
	}{
		{"issue_token.php", "php", "php-cli", []string{"-n"}},
		{"issue_token.js", "node", "nodejs", nil},
		{"issue_token.py", "python3", "python3", nil},
		{"token/main.go", "go", "", nil},
	} {
		t.Run(c.file, func(t *testing.T) {
			command := append(append([]string{c.program}, c.args...), c.file, secret)
			if c.program == "go" {
				command = []string{build(t, "./token"), secret}
			} else if _, err := exec.LookPath(c.program); err != nil {
				missing(t, c.program, c.debian)
			}
			out, err := exec.Command(command[0], command[1:]...).Output()
			if err != nil {
				t.Fatal(err)
			}
			inREADME(t, string(readme), c.file)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			token := strings.TrimSpace(string(out))
			options := &websocket.DialOptions{Subprotocols: []string{"groupcast.v1", "token." + token}}
			conn, _, err := websocket.Dial(ctx, "ws://"+socket, options)
			if err != nil {
				t.Fatalf("%s: %v", token, err)
			}
			defer func() { _ = conn.CloseNow() }()
			for command, want := range map[string]string{
				`{"cmd":"add_group","group_id":"room:1","req_id":1}`:                    "ack",
				`{"cmd":"add_group","group_id":"user:7","req_id":1}`:                    "ack",
				`{"cmd":"add_group","group_id":"user:8","req_id":1}`:                    "error",
				`{"cmd":"send_to_group","group_id":"room:2","message":"x","req_id":1}`:  "ack",
				`{"cmd":"send_to_group","group_id":"lobby","message":"x","req_id":"x"}`: "error",
			} {
				if err := conn.Write(ctx, websocket.MessageText, []byte(command)); err != nil {
					t.Fatal(err)
				}
				var answer struct{ Type, Reason string }
				if err := wsjson.Read(ctx, conn, &answer); err != nil || answer.Type != want {
					t.Errorf("%s: %+v, %v", command, answer, err)
				}
			}
		})
	}
}

// inREADME checks that the README shows a program's lines; of Go's the call that signs.
func inREADME(t *testing.T, readme, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	if _, body, isGo := strings.Cut(want, "\ttext, err := "); isGo {
		want, _, _ = strings.Cut(body, "\tif err")
		want = strings.ReplaceAll("text, err := "+want, "\n\t", "\n")
	}
	want = strings.TrimPrefix(want, "<?php\n")
	if !strings.Contains(readme, want) {
		t.Errorf("README.md does not show %s:\n%s", file, want)
	}
}
