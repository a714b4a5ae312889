package webhook

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshc/meshc/admission/validate"
)

// metrics count what was asked and answered.
type metrics struct {
	requests *prometheus.CounterVec
	findings *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "meshc", Subsystem: "webhook", Name: name, Help: help}, labels)
	}
	m := &metrics{
		requests: counter("requests_total", "Calls of API servers, by webhook, verdict (allowed, warned, denied, injected, converted, refused, failed) and code: the first finding's, or that of HTTP where it failed.",
			"webhook", "verdict", "code"),
		findings: counter("findings_total", "Findings in answers, each code once an answer.", "webhook", "code"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "meshc", Subsystem: "webhook", Name: "duration_seconds",
			Help: "Time in the handler, the reading of the call included.", Buckets: prometheus.ExponentialBuckets(0.000125, 2, 16)}, []string{"webhook"}),
	}
	for _, name := range []string{"validate", "mutate", "convert"} {
		m.duration.WithLabelValues(name) // there from the first scrape on
	}
	return m
}

func (m *metrics) register(r prometheus.Registerer) error {
	return errors.Join(r.Register(m.requests), r.Register(m.findings), r.Register(m.duration))
}

// decided counts an answer and tells it to next.
func (m *metrics) decided(webhook string, next func(*validate.Request, *validate.Response)) func(*validate.Request, *validate.Response) {
	return func(r *validate.Request, a *validate.Response) {
		verdict, code := "allowed", ""
		switch {
		case !a.Allowed:
			verdict = "denied"
		case a.AuditAnnotations["injected"] == "true":
			verdict = "injected"
		case len(a.Warnings) > 0:
			verdict = "warned"
		}
		if found := a.AuditAnnotations["findings"]; found != "" {
			codes := strings.Split(found, ",")
			code = codes[0]
			for _, c := range codes {
				m.findings.WithLabelValues(webhook, c).Inc()
			}
		}
		if !a.Allowed && a.Status != nil && a.Status.Details != nil && len(a.Status.Details.Causes) > 0 {
			code = a.Status.Details.Causes[0].Reason
		}
		m.requests.WithLabelValues(webhook, verdict, code).Inc()
		if next != nil {
			next(r, a)
		}
	}
}

func (m *metrics) converted(refused bool) {
	verdict := "converted"
	if refused {
		verdict = "refused"
	}
	m.requests.WithLabelValues("convert", verdict, "").Inc()
}

func (m *metrics) failed(webhook string, status int) {
	m.requests.WithLabelValues(webhook, "failed", strconv.Itoa(status)).Inc()
}

func (m *metrics) took(webhook string, d time.Duration) {
	m.duration.WithLabelValues(webhook).Observe(d.Seconds())
}
