package api

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadTokens(t *testing.T) {
	long := strings.Repeat("x", MaxTokenBytes)
	full := strings.Repeat("0123456789abcdef\n", MaxTokens)
	for name, test := range map[string]struct {
		text string
		want []string
		err  string
	}{
		"one": {"0123456789abcdef", []string{"0123456789abcdef"}, ""},
		"several": {
			"# ours\n0123456789abcdef\r\n\n  # theirs\n\tfedcba9876543210  \n",
			[]string{"0123456789abcdef", "fedcba9876543210"},
			"",
		},
		"a hash inside":  {"0123456789abcdef#", []string{"0123456789abcdef#"}, ""},
		"at the limit":   {long, []string{long}, ""},
		"over the limit": {long + "x", nil, "line 1: wants 1 to 512 characters, got 513"},
		"empty":          {"", nil, "no token"},
		"only comments":  {"# none\n\n", nil, "no token"},
		"a space":        {"0123456789abcdef\n01234567 89abcdef", nil, "line 2: wants printable ASCII"},
		"not ASCII":      {"0123456789abcdeü", nil, "line 1: wants printable ASCII"},
		"too many":       {full + "0123456789abcdef", nil, "line 1025: wants 1024 tokens at most"},
		"too large":      {strings.Repeat("#", maxTokenFile+1), nil, "wants 1048576 bytes at most"},
	} {
		path := filepath.Join(t.TempDir(), "tokens")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, warnings, err := ReadTokens(path)
		if !slices.Equal(got, test.want) || len(warnings) > 0 {
			t.Errorf("%s: %d tokens, %q", name, len(got), warnings)
		}
		if (err == nil) != (test.err == "") || err != nil &&
			(!strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "89abcdef") {
			t.Errorf("%s: a token is in the error: %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "full")
	if err := os.WriteFile(path, []byte(full), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, err := ReadTokens(path); err != nil || len(got) != MaxTokens {
		t.Errorf("at the limit: %d, %v", len(got), err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe") // which nobody writes to
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir(), pipe} {
		if _, _, err := ReadTokens(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReadTokensWarns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte("0123456789abcdef\nshort\nshorter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]int{0o600: 1, 0o640: 1, 0o644: 2, 0o604: 2} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		got, warnings, err := ReadTokens(path)
		if err != nil || len(got) != 3 || len(warnings) != want {
			t.Errorf("mode %o: %d tokens, %q, %v", mode, len(got), warnings, err)
		}
		if text := strings.Join(warnings, " "); !strings.Contains(text, "2 of its 3 tokens shorter than 16 characters") ||
			strings.Contains(text, "everybody") != (want == 2) {
			t.Errorf("mode %o: %s", mode, text)
		}
	}
}

// Whatever is taken can be presented in a header, and is within the limits.
func FuzzParseTokens(f *testing.F) {
	f.Add([]byte("# comment\n0123456789abcdef\n\n x \r\n"))
	f.Add([]byte("a b\n"))
	f.Add([]byte("\xff\x00\n#"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, short, err := parseTokens(data)
		if err != nil {
			return
		}
		if len(list) == 0 || len(list) > MaxTokens || short > len(list) {
			t.Fatalf("%d tokens, %d short", len(list), short)
		}
		var a API
		if err := a.SetTokens(list); err != nil {
			t.Fatal(err)
		}
		for _, token := range list {
			if token[0] == '#' || !a.tokens.allow(request("GET", "/", "", "Authorization: Bearer "+token)) {
				t.Fatalf("%q does not open the door", token)
			}
		}
	})
}
