package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"groupcast/bench/internal/process"
)

// reading is what the server's process holds at one moment.
type reading struct {
	Heap int64 // live, after forced collections
	RSS  int64
}

// collections are forced in a row: a sync.Pool gives its things up at the second one.
const collections = 4

// read forces collections, takes a reading, and leaves a profile of the heap under that name.
func (s *server) read(ctx context.Context, name string) (r reading, err error) {
	for range collections {
		heap, err := s.liveHeap(ctx)
		if err != nil {
			return r, err
		}
		if r.Heap == 0 || heap < r.Heap {
			r.Heap = heap
		}
	}
	r.RSS = process.StatusBytes(s.PID(), "VmRSS")
	profile, err := s.get(ctx, "http://"+s.pprof+"/debug/pprof/heap")
	if err != nil {
		return r, err
	}
	return r, os.WriteFile(s.path(name), []byte(profile), 0o600)
}

// liveHeap is the bytes of live objects: Go's heap profile collects before it counts, if asked so.
func (s *server) liveHeap(ctx context.Context) (int64, error) {
	text, err := s.get(ctx, "http://"+s.pprof+"/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	return heapAlloc(text)
}

// heapAlloc finds the live heap in a heap profile's text.
func heapAlloc(profile string) (int64, error) {
	for line := range strings.Lines(profile) {
		if rest, ok := strings.CutPrefix(line, "# HeapAlloc = "); ok {
			return strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
		}
	}
	return 0, errors.New("the heap's profile does not say HeapAlloc")
}

// metrics are values by name, labels summed up, and by name{value} for each value of the first label.
type metrics map[string]float64

func (s *server) metrics(ctx context.Context) (metrics, error) {
	text, err := s.get(ctx, "http://"+s.target.API+"/metrics")
	if err != nil {
		return nil, err
	}
	return readMetrics(strings.NewReader(text))
}

func readMetrics(r io.Reader) (metrics, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("read /metrics: %w", err)
	}
	m := metrics{}
	for name, family := range families {
		for _, one := range family.GetMetric() {
			v := value(one)
			m[name] += v
			if labels := one.GetLabel(); len(labels) > 0 {
				m[name+"{"+labels[0].GetValue()+"}"] += v
			}
		}
	}
	return m, nil
}

func value(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	}
	return 0
}

// get asks with the token, on a connection of its own.
func (s *server) get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := s.client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(bufio.NewReader(answer.Body))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, answer.Status)
	}
	return string(text), err
}
