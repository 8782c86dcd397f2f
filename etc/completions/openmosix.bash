# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion of openMosix' commands. One file for all of them, installed
# under each one's name. What there is to complete, each command tells itself:
# "COMMAND --om-complete" prints "--option[=] -letter kind" a line, made from
# the table that also parses its options.

_openmosix_words()	# kind: the words there are
{
	case $1 in
	node)
		omnode --noheader --timeout=1 list 2>/dev/null | awk '{print $1}' ;;
	partition)
		omnode --noheader --timeout=1 list 2>/dev/null |
			awk '{print $8}' | tr , '\n' | sort -u ;;
	job)
		omq --noheader --timeout=1 --format=job_id 2>/dev/null ;;
	user)
		compgen -u ;;
	state)
		printf '%s\n' all pending configuring running suspended completing \
			completed failed cancelled timeout node-fail out-of-memory \
			preempted deadline boot-fail ;;
	signal)
		compgen -A signal SIG ;;
	*'|'*)
		printf '%s\n' "${1//|/$'\n'}" ;;
	esac
}

_openmosix_values()	# kind, word: fills COMPREPLY
{
	local head=

	case $1 in
	-) return ;;
	file) compopt -o filenames; COMPREPLY=($(compgen -f -- "$2")); return ;;
	dir) compopt -o filenames; COMPREPLY=($(compgen -d -- "$2")); return ;;
	command) compopt -o filenames; COMPREPLY=($(compgen -c -- "$2")); return ;;
	esac
	# In a list, what stands before the last comma stays.
	if [[ $2 == *,* ]]; then
		head=${2%,*},
	fi
	COMPREPLY=($(compgen -P "$head" -W "$(_openmosix_words "$1")" -- "${2##*,}"))
}

_openmosix()
{
	local command=$1 word=$2 before=$3
	local long letter kind operands=- names=()
	local -A of_long=() of_letter=()

	COMPREPLY=()
	while read -r long letter kind; do
		if [[ $long == operands ]]; then
			operands=$kind
			continue
		fi
		names+=("$long")
		of_long[${long%=}]=$kind
		[[ $letter == - ]] || of_letter[$letter]=$kind
		[[ $long == *= ]] && of_long[${long%=}]+=' needs'
		[[ $long == *= && $letter != - ]] && of_letter[$letter]+=' needs'
	done < <($command --om-complete 2>/dev/null)	# may be two words

	# readline cuts words at '=': "--name", "=", "value"
	if [[ $word == = ]]; then
		word=
		before=${COMP_WORDS[COMP_CWORD - 1]}
	elif [[ $before == = ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [[ $before == --* && ${of_long[$before]} == *' needs' ]]; then
		kind=${of_long[$before]% needs}
	elif [[ $before == -? && ${of_letter[$before]} == *' needs' ]]; then
		kind=${of_letter[$before]% needs}
	elif [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W "${names[*]}" -- "$word"))
		[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
		return
	else
		kind=$operands
	fi
	_openmosix_values "$kind" "$word"
}

# "omcluster VERB": each verb has options of its own.
_openmosix_cluster()
{
	if ((COMP_CWORD > 1)); then
		_openmosix "$1 ${COMP_WORDS[1]}" "$2" "$3"
	else
		_openmosix "$@"
	fi
}

complete -F _openmosix_cluster omcluster
complete -F _openmosix omsub omrun omalloc omq omcancel omhold omrelease \
	omrequeue omnode omhist omctl
