package ir

import (
	"strconv"
	"strings"
)

// Authority is the authority a request names: its own host header, or the name
// and port of the service that is called. It is empty for raw bytes.
func (r Request) Authority() string {
	if r.HTTP == nil {
		return ""
	}
	for _, h := range r.HTTP.Headers {
		if n := strings.ToLower(h.Name); n == "host" || n == ":authority" {
			return strings.Trim(h.Value, " \t")
		}
	}
	if r.External != "" {
		return r.External
	}
	host := r.To.Service.Name + "." + r.To.Service.Namespace
	if r.To.Port == 80 {
		return host
	}
	return host + ":" + strconv.Itoa(int(r.To.Port))
}

// Lines are the values of a header, a line each, as a proxy sees them. The name
// is lower case; ":method" and ":authority" are headers too.
func (r Request) Lines(name string) []string {
	if r.HTTP == nil {
		return nil
	}
	switch name {
	case ":authority", "host":
		return []string{r.Authority()}
	case ":method":
		return []string{r.HTTP.Method}
	}
	var out []string
	for _, h := range r.HTTP.Headers {
		if strings.ToLower(h.Name) == name {
			out = append(out, strings.Trim(h.Value, " \t"))
		}
	}
	return out
}

// String is the request as a sentence names it: "GET /path", or "raw bytes".
func (r Request) String() string {
	if r.HTTP == nil {
		return "raw bytes"
	}
	return r.HTTP.Method + " " + r.HTTP.Path
}

// caller is the source as a sentence names it.
func (r Request) caller() string {
	if r.From == "" {
		return "a client without a mesh certificate"
	}
	return r.From.Short()
}

// HostPort takes HOST:PORT apart; an IPv6 address stands in brackets.
func HostPort(s string) (host string, port uint16, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	host = s[:i]
	if inner, found := strings.CutPrefix(host, "["); found {
		host, found = strings.CutSuffix(inner, "]")
		return host, uint16(n), found && err == nil && n > 0
	}
	return host, uint16(n), err == nil && n > 0 && !strings.Contains(host, ":")
}
