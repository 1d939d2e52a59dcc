package api

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Limits of tokens.
const (
	MaxTokens     = 1024
	MaxTokenBytes = 512
	// MinTokenBytes is what a token should have; a shorter one is taken with a warning.
	MinTokenBytes = 16

	maxTokenFile = 1 << 20
)

// tokens are those that open the door. Their hashes are compared, so that
// neither their length nor their place can be learned from how long it takes.
type tokens struct {
	hashes atomic.Pointer[[][sha256.Size]byte]
}

// SetTokens puts other tokens in force, for requests that come in from now on.
// With none, a handler that requires one lets nobody in. After an error the old
// ones stay. The error does not repeat a token.
func (a *API) SetTokens(list []string) error {
	if len(list) > MaxTokens {
		return fmt.Errorf("api tokens: wants %d at most, got %d", MaxTokens, len(list))
	}
	hashes := make([][sha256.Size]byte, len(list))
	for i, token := range list {
		if err := CheckToken(token); err != nil {
			return fmt.Errorf("api token %d: %w", i+1, err)
		}
		hashes[i] = sha256.Sum256([]byte(token))
	}
	a.tokens.hashes.Store(&hashes)
	return nil
}

// HasTokens tells whether there is any.
func (a *API) HasTokens() bool { return len(*a.tokens.hashes.Load()) > 0 }

// CheckToken says what keeps token from being one. The error does not repeat it.
func CheckToken(token string) error {
	if token == "" || len(token) > MaxTokenBytes {
		return fmt.Errorf("wants 1 to %d characters, got %d", MaxTokenBytes, len(token))
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			return errors.New("wants printable ASCII without spaces: it has to stand in an HTTP header")
		}
	}
	return nil
}

// allow says whether the request presents one of them.
func (t *tokens) allow(r *http.Request) bool {
	headers := r.Header["Authorization"]
	if len(headers) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	presented := sha256.Sum256([]byte(strings.TrimLeft(token, " ")))
	found := 0
	for _, hash := range *t.hashes.Load() {
		found |= subtle.ConstantTimeCompare(hash[:], presented[:])
	}
	return found == 1
}

// ReadTokens reads a file with one token a line; space around it, empty lines and
// lines that begin with # do not count. The warnings are for the log: they say
// what makes the tokens less of a secret than they should be. A file without a
// token is an error: an operator who names one does not mean a server that is open, or
// one that lets nobody in.
func ReadTokens(path string) (list, warnings []string, err error) {
	fail := func(err error) ([]string, []string, error) {
		return nil, nil, fmt.Errorf("token file %s: %w", path, err)
	}
	// A pipe that nobody writes to is empty, and not waited for.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fail(errors.Unwrap(err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fail(err)
	}
	if !info.Mode().IsRegular() && info.IsDir() {
		return fail(errors.New("is a directory"))
	}
	if mode := info.Mode().Perm(); mode&0o004 != 0 {
		warnings = append(warnings,
			fmt.Sprintf("token file %s: everybody on this machine can read it (mode %04o): chmod 600", path, mode))
	}
	data, err := io.ReadAll(io.LimitReader(file, maxTokenFile+1))
	if err != nil {
		return fail(err)
	}
	if len(data) > maxTokenFile {
		return fail(fmt.Errorf("wants %d bytes at most", maxTokenFile))
	}
	list, short, err := parseTokens(data)
	if err != nil {
		return fail(err)
	}
	if short > 0 {
		warnings = append(warnings,
			fmt.Sprintf("token file %s: could be guessed: %d of its %d tokens shorter than %d characters", path, short,
				len(list), MinTokenBytes))
	}
	return list, warnings, nil
}

// parseTokens reads a file's lines, and counts the tokens that are short.
func parseTokens(data []byte) (list []string, short int, err error) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxTokenFile+1)
	for n := 1; lines.Scan(); n++ {
		token := strings.TrimSpace(lines.Text())
		if token == "" || token[0] == '#' {
			continue
		}
		if err := CheckToken(token); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
		if len(list) == MaxTokens {
			return nil, 0, fmt.Errorf("line %d: wants %d tokens at most", n, MaxTokens)
		}
		if len(token) < MinTokenBytes {
			short++
		}
		list = append(list, token)
	}
	if err := lines.Err(); err != nil {
		return nil, 0, err
	}
	if len(list) == 0 {
		return nil, 0, errors.New("no token in it")
	}
	return list, short, nil
}
