package ir_test

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// The sizes are those that Envoy 1.40.0 reported for the expressions. An
// estimate below one would let a bundle through that proxies refuse.
func TestExpressionSizeIsNotBelowEnvoys(t *testing.T) {
	for expr, envoy := range map[string]int{
		`^(?:/([^/]{1,900}|x{1,900})).*$`: 4506,
		`[^/]{1,900}`:                     2703,
		`.{1,100}`:                        303,
		`\pL{1,10}`:                       83,
		`(\pL{1,200}){1,3}`:               4809,
		`[a-z0-9-]{1,63}`:                 255,
		`\w{1,100}`:                       403,
		`(?i)k{1,100}`:                    203,
		`[^\pL]{1,10}`:                    93,
		`.*(?:^admin$).*`:                 15,
		`\PN{1,20}`:                       123,
		`(?i)[a-z]{1,50}`:                 103,
		`^(?:/books).*$`:                  6,
	} {
		size, err := ir.ExpressionSize(expr)
		if err != nil || size < envoy || size > 3*envoy+20 {
			t.Errorf("%s: estimated %d (%v), Envoy has %d", expr, size, err, envoy)
		}
	}
}

func TestExpressionsBeyondASCIIAreRefused(t *testing.T) {
	for expr, ok := range map[string]bool{
		`/caf%C3%A9`: true, `[^/]+`: true, `\W\D\S.`: true, `(?i)books[a-z]`: true, `\pL+`: true, `[^\x00-\x1f]`: true,
		`/café`: false, `[à-ü]`: false, `[^é]`: false, `\x{100}`: false, `\xe9`: false, `(`: false,
	} {
		if _, err := ir.ExpressionSize(expr); (err == nil) != ok {
			t.Errorf("%s: %v", expr, err)
		}
	}
}
