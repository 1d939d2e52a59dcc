package api_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"groupcast/server"
	"groupcast/server/monitor"
)

// A backend publishes by one request: the body is the message. Here the server runs in
// the same program; of one that runs beside it the address is http://127.0.0.1:1235.
func Example() {
	url, stop := startServer()
	defer stop()

	answer, err := http.Post(url+"/v1/groups/123/messages", "text/plain", strings.NewReader("hello"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer answer.Body.Close()
	fmt.Fprintln(os.Stdout, answer.Status)
	_, _ = io.Copy(os.Stdout, answer.Body)
	// Output:
	// 202 Accepted
	// {"order":1}
}

// startServer starts a server on ports that are free, and returns the API's address.
func startServer() (url string, stop func()) {
	options := server.DefaultOptions()
	options.Listen, options.API, options.Control = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, "none"
	s, err := server.Start(options, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	for {
		for _, l := range s.Status().Listeners {
			if l.Kind == monitor.KindAPI {
				return "http://" + l.Address, func() { _ = s.Close() }
			}
		}
		<-time.After(time.Millisecond) // the first sample is on its way
	}
}
