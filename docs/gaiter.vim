" Vim syntax for Gaiter's policies. To use it:
"   cp docs/gaiter.vim ~/.vim/syntax/
"   autocmd BufRead,BufNewFile /etc/gaiter/*.conf,/etc/gaiter/policy.d/*.conf set filetype=gaiter
if exists("b:current_syntax")
  finish
endif

syntax match gaiterComment "#.*$\|//.*$"
syntax region gaiterComment start="/\*" end="\*/"
syntax match gaiterEscape contained +\\\(["\\nrtf]\|x\x\x\)+
syntax region gaiterText start=+"+ skip=+\\.+ end=+"\|$+ contains=gaiterEscape
syntax match gaiterNumber "\<[-+]\?\(0x\x\+\|\d\+\(\.\d\+\)\?\)\>"
syntax keyword gaiterBoolean true false
syntax match gaiterInclude "@include"
syntax keyword gaiterSection inbound outbound defaults rules keyring unmatched
syntax keyword gaiterSection children trusted_children
syntax keyword gaiterCondition direction local remote local_ports remote_ports program user group
syntax keyword gaiterCondition unit name priority
syntax keyword gaiterSetting tls role mode until certificate sni sni_unmatched trust client_auth allow deny
syntax keyword gaiterSetting map_user map_file verify pins server_name interchangeable profile min_version
syntax keyword gaiterSetting max_version suites groups signatures alpn session rekey
syntax keyword gaiterSetting handshake_timeout close_timeout truncation ocsp must_staple revocation
syntax keyword gaiterSetting on_change engine accelerator cache lifetime tickets ticket_keys bytes
syntax keyword gaiterSetting seconds

highlight default link gaiterComment Comment
highlight default link gaiterText String
highlight default link gaiterEscape SpecialChar
highlight default link gaiterNumber Number
highlight default link gaiterBoolean Boolean
highlight default link gaiterInclude Include
highlight default link gaiterSection Structure
highlight default link gaiterCondition Identifier
highlight default link gaiterSetting Keyword

let b:current_syntax = "gaiter"
