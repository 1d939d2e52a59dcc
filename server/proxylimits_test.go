package server

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
)

// Where every client is believed to be a proxy, the operator is warned, at the start and at a
// reload; and not where some are.
func TestWarnOfProxies(t *testing.T) {
	const warning = "has every address in it"
	var logged lockedBuffer
	o := DefaultOptions()
	o.Listen, o.API, o.Control, o.Loops = []string{"127.0.0.1:0"}, []string{none}, none, 1
	o.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")}
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	log, err := OpenLog(o, &logged)
	if err != nil {
		t.Fatal(err)
	}
	all := &program{o: o}
	s, err := Program{Log: log, Load: all.load}.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(s.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	}()
	if got := logged.String(); strings.Count(got, warning) != 1 || !strings.Contains(got, "--proxy-protocol has") ||
		!strings.Contains(got, "::/0") {
		t.Errorf("at the start: %s", got)
	}
	all.set(func(o *Options) { o.ProxyProtocol, o.TrustedProxies = nil, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} })
	if _, err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := logged.String(); strings.Count(got, warning) != 2 || !strings.Contains(got, "--trusted-proxy has") {
		t.Errorf("at the reload: %s", got)
	}
}

// Behind a proxy that says in a header who its client is, all limits for each address (of
// connections, of new ones a second, of failed tokens) count the client's, and none the
// proxy's own.
func TestTrustedProxyLimits(t *testing.T) {
	const upgraded, tooMany, unavailable = 101, 429, 503
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	header := func(client, more string) string {
		if client != "" {
			more += "X-Forwarded-For: " + client + "\r\n"
		}
		return upgradeHead + more + "\r\n"
	}
	run := func(t *testing.T, change func(*Options)) (s *Server, answer func(client, more string) int) {
		t.Helper()
		s = startServer(t, func(o *Options) {
			o.TrustedProxies = local
			change(o)
		})
		return s, func(client, more string) int {
			t.Helper()
			c := dial(t, s.Addresses()[0])
			if _, err := io.WriteString(c, header(client, more)); err != nil {
				t.Fatal(err)
			}
			return readAnswer(t, bufio.NewReader(c)).status
		}
	}
	check := func(t *testing.T, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("answered %d, want %d", got, want)
		}
	}
	t.Run("max-conns-per-ip", func(t *testing.T) {
		_, answer := run(t, func(o *Options) { o.MaxConnsPerIP = 1 })
		check(t, answer("192.0.2.1", ""), upgraded)
		check(t, answer("192.0.2.1", ""), unavailable)
		check(t, answer("192.0.2.2", ""), upgraded)
		for range 3 {
			check(t, answer("", ""), upgraded)
		}
	})
	t.Run("handshake-rate-per-ip", func(t *testing.T) {
		s, answer := run(t, func(o *Options) { o.HandshakeRatePerIP = 0.0001 })
		check(t, answer("192.0.2.1", ""), upgraded)
		check(t, answer("192.0.2.1", ""), tooMany)
		check(t, answer("192.0.2.2", ""), upgraded)
		for range 3 {
			check(t, answer("", ""), upgraded)
		}
		if got := s.roadStats(); got.TooFastPerIP != 1 || got.RateAddresses != 2 {
			t.Errorf("counted %+v", got)
		}
	})
	t.Run("token-failures", func(t *testing.T) {
		file := secretFile(t, secretText)
		_, answer := run(t, func(o *Options) {
			o.TokenKeyFiles, o.TokenFailures = []string{file}, 0.0001
		})
		const bad = "Authorization: Bearer x\r\n"
		check(t, answer("192.0.2.1", bad), 401)
		check(t, answer("192.0.2.1", bad), tooMany)
		check(t, answer("192.0.2.2", bad), 401)
		for range 3 {
			check(t, answer("", bad), 401)
		}
	})
}
