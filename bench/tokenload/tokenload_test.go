package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// fake is the simplest server that lets clients in and hands on what is sent to the group.
type fake struct {
	refuse func(token string) int                    // a status, or 0
	hand   func(n int, to int, text string) []string // what member to gets of message n; nil: the message

	mu      sync.Mutex
	members []*websocket.Conn
	sent    int
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if f.refuse != nil {
		if status := f.refuse(token); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"groupcast.v1"}})
	if err != nil {
		return
	}
	for {
		_, text, err := c.Read(context.Background())
		if err != nil {
			return
		}
		var command struct {
			Cmd, Message string
		}
		if json.Unmarshal(text, &command) != nil {
			return
		}
		f.mu.Lock()
		if command.Cmd == "add_group" {
			f.members = append(f.members, c)
			_ = c.Write(context.Background(), websocket.MessageText, []byte(`{"type":"ack","req_id":1}`))
		} else {
			f.sent++
			for i, to := range f.members {
				texts := []string{command.Message}
				if f.hand != nil {
					texts = f.hand(f.sent, i, command.Message)
				}
				for _, one := range texts {
					_ = to.Write(context.Background(), websocket.MessageText,
						fmt.Appendf(nil, `{"type":"message","group_id":"live","message":%q}`, one))
				}
			}
		}
		f.mu.Unlock()
	}
}

func (f *fake) start(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// Live members notice what is lost, comes twice or in another order, or closes them.
func TestLiveMembersNotice(t *testing.T) {
	held := ""
	for name, c := range map[string]struct {
		hand func(n, to int, text string) []string
		want int64 // gaps at least
	}{
		"nothing": {nil, 0},
		"loss": {func(n, to int, text string) []string {
			if to == 1 && n%3 == 0 {
				return nil
			}
			return []string{text}
		}, 1},
		"duplicate": {func(n, _ int, text string) []string { return slices.Repeat([]string{text}, 1+n%2) }, 1},
		"reorder": {func(n, to int, text string) []string {
			switch {
			case to != 1:
				return []string{text}
			case n%2 == 1:
				held = text
				return nil
			}
			return []string{text, held}
		}, 1},
	} {
		f := &fake{hand: c.hand}
		l, err := startLive(t.Context(), f.start(t), 3, func(int) string { return "t" })
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); l.received[0].Load() < 8 && time.Now().Before(deadline); {
			<-time.After(time.Millisecond)
		}
		if c.want > 0 {
			l.patience = time.Millisecond // the last one may never come
		}
		missed, closed := l.finish()
		if closed != 0 || (missed > 0) != (c.want > 0) {
			t.Errorf("%s: missed %d, closed %d", name, missed, closed)
		}
	}
	f := &fake{}
	l, err := startLive(t.Context(), f.start(t), 3, func(int) string { return "t" })
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	_ = f.members[2].CloseNow()
	f.mu.Unlock()
	for deadline := time.Now().Add(patience); l.closed.Load() == 0 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	l.patience = time.Millisecond
	if _, closed := l.finish(); closed != 1 {
		t.Errorf("closed %d", closed)
	}
}

// Who is refused tries again, and is counted.
func TestArrivals(t *testing.T) {
	var mu sync.Mutex
	tried := map[string]int{}
	f := &fake{refuse: func(token string) int {
		mu.Lock()
		defer mu.Unlock()
		tried[token]++
		switch {
		case token == "never":
			return 401
		case token == "later" && tried[token] == 1:
			return 503
		}
		return 0
	}}
	tokens := []string{"good", "later", "never"}
	all := arrive(t.Context(), f.start(t), len(tokens), 2, 3*retryAfter, func(i int) string { return tokens[i] })
	defer leave(all)
	if n, last := in(all); n != 2 || last < retryAfter {
		t.Errorf("%d came in, the last after %v", n, last)
	}
	if all[0].refused != nil || all[1].refused[503] != 1 || all[2].conn != nil || all[2].refused[401] < 2 {
		t.Errorf("got %+v", all)
	}
	var o outcome
	o.answers(all)
	if o.Figures[0].Value != float64(all[2].refused[401]) || o.Figures[2].Value != 1 || len(o.Wrong) > 0 {
		t.Errorf("got %+v", o)
	}
}

// Tokens are good for what the server is given of their key: a file, or a key server's answer.
func TestKeys(t *testing.T) {
	pair, err := newPair("k")
	if err != nil {
		t.Fatal(err)
	}
	secret := newSecret()
	check := func(text string, public any) {
		t.Helper()
		got, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return public, nil }, jwt.WithExpirationRequired())
		if err != nil {
			t.Fatal(err)
		}
		if sub, err := got.Claims.GetSubject(); err != nil || sub != "user-1" {
			t.Errorf("got %s, %v", sub, err)
		}
	}
	for _, k := range []key{pair, secret} {
		tokens, err := k.signMany(2, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		file, err := k.file()
		if err != nil {
			t.Fatal(err)
		}
		if k.pair == nil {
			check(tokens[1], file)
			continue
		}
		block, _ := pem.Decode(file)
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		check(tokens[1], public)
		s, err := startKeyServer(0, pair)
		if err != nil {
			t.Fatal(err)
		}
		defer s.stop()
		answer, err := http.Get(s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var set struct{ Keys []map[string]string }
		if err := json.NewDecoder(answer.Body).Decode(&set); err != nil || len(set.Keys) != 1 || s.asked.Load() != 1 {
			t.Fatalf("%+v, %v", set, err)
		}
		point := []byte{4}
		for _, name := range []string{"x", "y"} {
			b, err := base64.RawURLEncoding.DecodeString(set.Keys[0][name])
			if err != nil {
				t.Fatal(err)
			}
			point = append(point, b...)
		}
		served, err := ecdsa.ParseUncompressedPublicKey(pair.pair.Curve, point)
		if err != nil {
			t.Fatal(err)
		}
		check(tokens[1], served)
	}
}

// A table has the median of the rounds and their range, and what was not as it should be.
func TestTable(t *testing.T) {
	var rounds []outcome
	for _, n := range []int{1200, 1000, 1100} {
		o := outcome{Scenario: "s", Text: "What is done"}
		o.want("came in", n, 1200)
		o.seconds("until the last", time.Duration(n)*time.Millisecond)
		o.count("asked", 1)
		rounds = append(rounds, o)
	}
	path := filepath.Join(t.TempDir(), "rounds")
	for _, o := range rounds {
		if err := appendTo(path, []outcome{o}); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	again, err := readOutcomes(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "What is done (rounds: 3):\n\n| | median | range |\n|---|---|---|\n| came in | 1,100 | 1,000 to 1,200 |\n" +
		"| until the last, s | 1.10 | 1.00 to 1.20 |\n| asked | 1 |  |\n\n" +
		"NOT HELD, s: came in: got 1000, want 1200\nNOT HELD, s: came in: got 1100, want 1200\n"
	if got := markdown(again); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestBusiest(t *testing.T) {
	at := func(ms ...int) (all []time.Duration) {
		for _, n := range ms {
			all = append(all, time.Duration(n)*time.Millisecond)
		}
		return all
	}
	for _, c := range []struct {
		times []time.Duration
		want  int
	}{{nil, 0}, {at(5), 1}, {at(0, 999, 1000, 1998, 1999), 3}, {at(0, 1000, 2000), 1}} {
		if got := busiest(c.times, time.Second); got != c.want {
			t.Errorf("%v: got %d, want %d", c.times, got, c.want)
		}
	}
}
