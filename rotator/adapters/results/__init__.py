"""What other tools found out, from their JSON; which tool wrote a file is seen from what is in it.

recognising   which one it is      pip_audit   osv_scanner   guarddog
"""
